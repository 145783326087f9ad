#!/bin/sh
# Finish the root file system of a lab host: a managed node that boots quickly.
# mmdebstrap runs this with the path of the root file system.
set -eu
chroot "$1" useradd --create-home --shell /bin/bash ops
ln -sf ../locale.conf "$1/etc/default/locale"
chmod 0440 "$1/etc/sudoers.d/ops"
rm -f "$1"/etc/ssh/ssh_host_*
chroot "$1" systemctl --quiet enable docker.service ssh.service lab-network.service lab-echo.service
chroot "$1" systemctl --quiet mask \
    apt-daily.timer apt-daily-upgrade.timer console-getty.service dpkg-db-backup.timer \
    e2scrub_all.timer e2scrub_reap.service fstrim.timer getty.target getty-static.service \
    ldconfig.service modprobe@.service motd-news.timer rescue.service \
    sys-kernel-config.mount sys-kernel-debug.mount sys-kernel-tracing.mount dev-hugepages.mount \
    dev-mqueue.mount sys-fs-fuse-connections.mount \
    systemd-binfmt.service systemd-firstboot.service systemd-hwdb-update.service \
    systemd-journal-catalog-update.service systemd-journal-flush.service \
    systemd-logind.service systemd-logind-varlink.socket systemd-machine-id-commit.service systemd-modules-load.service \
    systemd-pcrphase.service systemd-random-seed.service systemd-remount-fs.service \
    systemd-sysusers.service systemd-timesyncd.service systemd-udevd.service \
    systemd-udev-trigger.service systemd-update-done.service systemd-update-utmp.service \
    systemd-update-utmp-runlevel.service
