#!/bin/sh
# Finish the root file system of the virtual machine: a managed node with a kernel of its own.
# mmdebstrap runs this with the path of the root file system.
set -eu
chroot "$1" useradd --create-home --shell /bin/bash ops
ln -sf ../locale.conf "$1/etc/default/locale"
chmod 0440 "$1/etc/sudoers.d/ops"
chroot "$1" update-initramfs -u
rm -f "$1"/etc/ssh/ssh_host_*
chroot "$1" ssh-keygen -q -t ed25519 -N "" -f /etc/ssh/ssh_host_ed25519_key
chroot "$1" systemctl --quiet enable docker.service ssh.service lab-network.service
# What an emulated processor need not do at each boot.
chroot "$1" systemctl --quiet mask \
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service \
    fstrim.timer getty.target getty-static.service ldconfig.service modprobe@.service motd-news.timer \
    systemd-firstboot.service systemd-hwdb-update.service systemd-journal-catalog-update.service \
    systemd-logind.service systemd-timesyncd.service systemd-update-done.service systemd-vconsole-setup.service
