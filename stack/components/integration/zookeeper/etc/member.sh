#!/bin/sh
# Makes a pod a member of the ensemble and becomes the given command, which reads $DATA/zoo.cfg.
# The pod's ordinal is the member's number, and the names of the other pods differ from its own in nothing else.
# ZOOKEEPER_MEMBERS says how many there are; one alone is no ensemble.
set -eu

pod=$(hostname)
domain=$(hostname -d)

mkdir -p "$DATA/data"
# A copy would keep the mode of a Secret, which nobody may write.
cat "$ETC/zoo.cfg" > "$DATA/zoo.cfg"
if [ "$ZOOKEEPER_MEMBERS" -gt 1 ]; then
  echo "$((${pod##*-} + 1))" > "$DATA/data/myid"
  ordinal=0
  while [ "$ordinal" -lt "$ZOOKEEPER_MEMBERS" ]; do
    host=${pod%-*}-$ordinal.$domain
    echo "server.$((ordinal + 1))=$host:2888:3888" >> "$DATA/zoo.cfg"
    ordinal=$((ordinal + 1))
  done
fi
exec "$@"
