# SPDX-License-Identifier: Apache-2.0
"""The image that the Dockerfile makes, built without Docker and without a registry, and how to run it
as "docker run --network host --ipc host --read-only --cap-drop all --security-opt no-new-privileges"
does.

The base is Debian's, bootstrapped here and stripped as debian:bookworm-slim is; it is not bit for bit
that image."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SOURCE / 'tests' / 'package'))

import bootstrap  # noqa: E402

WORK = SOURCE / 'build' / 'image'
BASE = 'docker.io/library/debian:bookworm-slim'
IMAGE = 'localhost/corosync-exporter'
TOOLS = ('buildah', 'mmdebstrap')

# What slim images leave out.
SLIM = [f'--dpkgopt=path-exclude=/usr/share/{directory}/*'
        for directory in ('doc', 'info', 'locale', 'man')]

# ROOT USER GROUP COMMAND...
CONTAINER = '''
root=$1 user=$2 group=$3
shift 3
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/dev"
mkdir "$root/dev/shm"
mount --bind /dev/shm "$root/dev/shm"
exec chroot "$root" setpriv --reuid "$user" --regid "$group" --clear-groups --no-new-privs \
  --inh-caps=-all --bounding-set=-all "$@"
'''


def missing():
    """Why no image can be built here, or None."""
    if os.geteuid() != 0:
        return 'needs root'
    absent = [tool for tool in TOOLS if not shutil.which(tool)]
    return f'needs {", ".join(absent)}: deploy/packages image' if absent else None


def build():
    """Builds it anew; the base is kept in build/image."""
    WORK.mkdir(parents=True, exist_ok=True)
    base = WORK / 'base.tar'
    if not base.exists():
        partial = WORK / 'base.partial.tar'
        bootstrap.make('bookworm', partial, [], *SLIM,
                       '--customize-hook=rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*')
        partial.rename(base)
    shutil.rmtree(WORK / 'store', ignore_errors=True)
    container = _buildah('from', 'scratch')
    _buildah('add', '--quiet', container, base, '/')
    _buildah('commit', '--quiet', '--rm', container, BASE)
    # In the format of Docker: OCI's has no HEALTHCHECK.
    _buildah('build', '--pull-never', '--format', 'docker', '--build-arg', 'REVISION=tested',
             '--tag', IMAGE, SOURCE)


def sizes():
    """Bytes of the files in the image, and of those in its base."""
    return tuple(int(_run('du', '--summarize', '--bytes', _mounted(name)).split()[0])
                 for name in (IMAGE, BASE))


def config():
    """What the image says of how to run it."""
    return json.loads(_buildah('inspect', '--type', 'image', IMAGE))['Docker']['config']


def command(arguments=()):
    """What runs a container of it, where its network and /dev/shm are to be."""
    said = config()
    user, group = said['User'].split(':')
    return ['unshare', '--mount', '--propagation', 'private', 'bash', '-euc', CONTAINER, 'container',
            _mounted(IMAGE), user, group, *said['Entrypoint'], *arguments]


def _mounted(name):
    return _buildah('mount', _buildah('from', '--pull-never', name))


def _buildah(*arguments):
    return _run('buildah', '--root', WORK / 'store', '--runroot', WORK / 'store.run',
                '--storage-driver', 'vfs', *arguments,
                env={**os.environ, 'BUILDAH_ISOLATION': 'chroot'})


def _run(*command, **how):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **how)
    if done.returncode:
        raise RuntimeError(f'{command[0]} failed:\n{done.stdout[-4000:]}{done.stderr[-4000:]}')
    return done.stdout.strip()
