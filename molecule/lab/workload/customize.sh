#!/bin/sh
# Finish the root file system of the workload image: servers that start as a container's command.
# mmdebstrap runs this with the path of the root file system.
set -eu
cd "$1"
# The collection must not need a tool in the image, so none is there (nginx brought iproute2).
rm -f bin/ip sbin/ip usr/bin/ip usr/sbin/ip
# Each host loads this image: what servers never read stays out.
rm -rf etc/postgresql/* var/lib/postgresql/* var/log/postgresql/* var/lib/apt/lists/*
rm -rf usr/bin/*perl* usr/lib/*-linux-gnu/perl* usr/lib/*-linux-gnu/libperl* usr/share/perl*
rm -rf usr/lib/apt usr/lib/*-linux-gnu/libapt-* usr/lib/*-linux-gnu/gconv usr/lib/*-linux-gnu/libz3*
# The packaged clients are wrappers in Perl.
for client in usr/lib/postgresql/*/bin/*; do
    ln -sf "/$client" "usr/bin/${client##*/}"
done
