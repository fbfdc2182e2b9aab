#!/bin/sh
# Writes bin/pgbouncer, the libraries that a minimal Debian 12 lacks, and their licences into $OUT.
set -eu
lock=$PWD/image/pgbouncer.lock
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
while read -r package version digest; do
  case $package in '#'*) continue ;; esac
  if ! apt-get download --quiet --quiet "$package=$version"; then
    echo "$package $version cannot be had: run apt-get update; if Debian has replaced it, write the new version and" \
      "digest into $lock" >&2
    exit 1
  fi
  file=$(ls "$package"_*.deb)
  echo "$digest  $file" | sha256sum --check --quiet
  dpkg-deb --extract "$file" root
  install -D --mode 644 "root/usr/share/doc/$package/copyright" "$OUT/licences/$package"
done < "$lock"
mkdir "$OUT/bin" "$OUT/lib"
cp root/usr/sbin/pgbouncer "$OUT/bin/"
cp --no-dereference root/usr/lib/*/*.so.* "$OUT/lib/"
