# SPDX-License-Identifier: Apache-2.0
"""A throwaway machine: Debian with systemd and corosync, booted in namespaces; and the packages to
install on it."""

import functools
import os
import pathlib
import re
import shutil
import signal
import subprocess

import bootstrap
import namespaces
from exposition import Page
from waiting import wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / 'build' / 'release'
PACKAGE = 'prometheus-corosync-exporter'
SERVICE = f'{PACKAGE}.service'
PORT = 10056

BOOT_SECONDS = 60


def why_not():
    """Why no machine can be had here; empty where one can."""
    if os.geteuid() != 0:
        return 'a machine needs root'
    missing = [tool for tool in ('mmdebstrap', 'unshare', 'nsenter', 'dpkg-deb', 'cpack')
               if not shutil.which(tool)]
    if missing:
        return f'{", ".join(missing)} missing: deploy/packages packaging'
    if 'cgroup2' not in pathlib.Path('/proc/mounts').read_text():
        return 'no cgroup2 is mounted here'
    if not (ROOT / 'build' / 'civetweb').exists():
        return "a package needs civetweb's source: deploy/civetweb"
    return ''


def _checked(*command, **keywords):
    done = subprocess.run([*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, cwd=ROOT, **keywords)
    if done.returncode != 0:
        raise RuntimeError(f'{" ".join(map(str, command))} failed:\n{done.stdout}')
    return done.stdout


def build_package(directory, version=None):
    """The release's .deb, built if it is not; with another version in its name, or its own."""
    if version is None:
        _checked('cmake', '--preset', 'release')
        _checked('cmake', '--build', '--preset', 'release')
    directory.mkdir(parents=True)
    version = [] if version is None else ['-D', f'CPACK_PACKAGE_VERSION={version}']
    _checked('cpack', '--config', BUILD / 'CPackConfig.cmake', '-G', 'DEB', '-B', directory, *version)
    return next(directory.glob('*.deb'))


def field(package, name):
    return _checked('dpkg-deb', '--field', package, name).strip()


def dependencies(package):
    """By name, the first of alternatives."""
    return sorted({re.match(r'[^ (|:]+', item.strip())[0]
                   for item in field(package, 'Depends').split(',')} - {'systemd'})


def root_of(suite, packages):
    """A directory with the suite, systemd, corosync and so on in it: made once, then kept.

    Raises OSError where it cannot be had, as without a network.
    """
    return bootstrap.kept(suite, ROOT / 'build' / 'machines' / suite,
                          ['systemd', 'systemd-sysv', 'dbus', 'corosync', *packages])


class Machine:
    def __init__(self, root, log):
        self._log = log
        with open(log, 'wb') as file:
            self._boot = subprocess.Popen([pathlib.Path(__file__).with_name('boot'), root],
                                          stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        try:
            wait_until(self._is_up, BOOT_SECONDS, 'the machine is up')
        except BaseException:
            self.down()
            raise

    @functools.cached_property
    def pid(self):
        """Of its pid 1, seen from outside."""
        unshare = self._child_of(self._boot.pid)
        return unshare and self._child_of(unshare)

    @staticmethod
    def _child_of(pid):
        children = pathlib.Path(f'/proc/{pid}/task/{pid}/children').read_text().split()
        return int(children[0]) if children else 0

    def _is_up(self):
        if self._boot.poll() is not None:
            raise RuntimeError(f'the machine does not boot:\n{self._log.read_text()}')
        if not self.pid:
            del self.pid  # too early: do not keep it
            return False
        state = self.run('systemctl', 'is-system-running', check=False).stdout.strip()
        return state in ('running', 'degraded')

    def down(self):
        if self._boot.poll() is None:
            if self.pid:
                os.kill(self.pid, signal.SIGRTMIN + 4)  # to systemd: power off
            else:
                self._boot.terminate()
            try:
                self._boot.wait(timeout=30)
            except subprocess.TimeoutExpired:
                os.kill(self.pid, signal.SIGKILL)
                self._boot.wait(timeout=30)

    def run(self, *command, check=True):
        done = subprocess.run(
            ['nsenter', f'--target={self.pid}', '--all', '--wdns=/', 'env', '-i',
             'PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'DEBIAN_FRONTEND=noninteractive', 'LC_ALL=C.UTF-8',
             *map(str, command)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=180)
        if check and done.returncode != 0:
            raise AssertionError(f'{" ".join(map(str, command))}: {done.returncode}\n{done.stdout}')
        return done

    def read(self, *command):
        return self.run(*command).stdout.strip()

    def path(self, path):
        """A file of the machine, seen from outside."""
        return pathlib.Path(f'/proc/{self.pid}/root{path}')

    def give(self, package):
        """Puts the file into the machine; its path there."""
        shutil.copy(package, self.path('/tmp'))
        return f'/tmp/{package.name}'

    def configure(self, service, text):
        """Adds to the service's unit."""
        directory = self.path(f'/run/systemd/system/{service}.d')
        directory.mkdir(parents=True, exist_ok=True)
        (directory / 'test.conf').write_text(text)
        self.run('systemctl', 'daemon-reload')

    def property(self, name, service=SERVICE):
        return self.read('systemctl', 'show', '--property', name, '--value', service)

    def page(self):
        try:
            answer = namespaces.request(self.pid, PORT, '/metrics')
        except OSError as error:
            raise AssertionError(f'no answer: {error}') from None
        return Page(answer.body)
