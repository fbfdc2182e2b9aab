#!/bin/sh
# Starts the pool, with TLS for its clients where the Secret postgresql-pgbouncer-tls exists.
set -eu
umask 077

tls=$ETC-tls
cp "$ETC/pgbouncer.ini" "$DATA/pgbouncer.ini"
if [ -e "$tls/tls.crt" ]; then
  cat >> "$DATA/pgbouncer.ini" << END
client_tls_sslmode = prefer
client_tls_cert_file = $tls/tls.crt
client_tls_key_file = $tls/tls.key
END
fi

exec env LD_LIBRARY_PATH="$ARTIFACT_PGBOUNCER/lib" "$ARTIFACT_PGBOUNCER/bin/pgbouncer" "$DATA/pgbouncer.ini"
