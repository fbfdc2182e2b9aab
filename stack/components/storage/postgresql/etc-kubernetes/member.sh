#!/bin/sh
# Starts one member. Here is what differs between members; patroni.yaml is the same for all.
set -eu
umask 077

export PATRONI_NAME="$POD_NAME"
export PATRONI_KUBERNETES_POD_IP="$NODE_ADDRESS"
export PATRONI_RESTAPI_CONNECT_ADDRESS="$NODE_ADDRESS:$POSTGRESQL_PATRONI_PORT"
export PATRONI_POSTGRESQL_CONNECT_ADDRESS="$NODE_ADDRESS:$POSTGRESQL_SQL_PORT"

# A certificate is used where there is one: the Secret postgresql-server-tls is mounted if it exists.
tls=$ETC-tls
echo "include '$ETC/postgresql.conf'" > "$DATA/server.conf"
if [ -e "$tls/tls.crt" ]; then
  case $("$ARTIFACT_SERVER/bin/pg_config" --configure) in
    *--with-ssl* | *--with-openssl*) ;;
    *)
      echo "there is a Secret postgresql-server-tls, but this image's PostgreSQL is built without TLS: remove the Secret," \
        "or give the release an image whose server has it (docs/how-to/postgresql-switchover.md)" >&2
      exit 1
      ;;
  esac
  cat >> "$DATA/server.conf" << END
ssl = on
ssl_cert_file = '$tls/tls.crt'
ssl_key_file = '$tls/tls.key'
END
fi

# Kubernetes may have opened the volume's files to the pod's group, which PostgreSQL refuses.
if [ -d "$DATA/db" ]; then
  chmod 0700 "$DATA/db"
fi

# Patroni reads bootstrap.dcs only when it makes the database: later changes are merged here. A pause and what an
# operator added stay.
patroni=$ARTIFACT_PATRONI/bin
settings='import sys, yaml; yaml.safe_dump(yaml.safe_load(open(sys.argv[1]))["bootstrap"]["dcs"], sys.stdout)'
if ! "$patroni/python" -c "$settings" "$ETC/patroni.yaml" |
  "$patroni/patronictl" --config-file "$ETC/patroni.yaml" edit-config --force --apply -; then
  echo "the settings of the cluster stay as they are: there is no database yet, or see the lines above"
fi

exec "$patroni/patroni" "$ETC/patroni.yaml"
