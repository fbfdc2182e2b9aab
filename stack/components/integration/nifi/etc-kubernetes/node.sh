#!/bin/sh
# Makes a pod a node of the cluster and becomes the given command, which reads the file NIFI_PROPERTIES.
# The pod's whole name, from its headless Service, stays the same when its address changes.
set -eu
umask 077

sed "s/@NODE@/$(hostname -f)/" "$ETC/nifi.properties" > "$NIFI_PROPERTIES"
# NiFi would listen on the address of that name alone, and `kubectl port-forward` comes in by loopback.
for interface in /sys/class/net/*; do
  name=${interface##*/}
  echo "nifi.web.http.network.interface.$name=$name" >> "$NIFI_PROPERTIES"
done
exec "$@"
