#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Directories with a Debian in them, made of packages from where this machine has its own.

Usage: bootstrap.py [--foreign ARCHITECTURE] SUITE DIRECTORY PACKAGE...
       makes DIRECTORY, unless it holds these packages already
"""

import argparse
import pathlib
import shutil
import subprocess
import sys

# What a source may call the suite that this machine is of, besides its name.
_NICKNAMES = ('stable', 'oldstable', 'testing')


def mirrors():
    """Where this machine's apt has Debian's packages from, the likeliest first."""
    os_release = pathlib.Path('/etc/os-release').read_text()
    codename = next((line.partition('=')[2].strip('"') for line in os_release.splitlines()
                     if line.startswith('VERSION_CODENAME=')), '')
    try:
        # Without Release files, which only a machine has that has made an update.
        targets = subprocess.run(
            ['apt-get', 'indextargets', '--no-release-info', '--format',
             '$(REPO_URI) $(RELEASE) $(COMPONENT)', 'Identifier: Packages'],
            capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise OSError(f"apt does not say where this machine's packages are from: {error}") from None
    found = []
    for line in targets.splitlines():
        uri, _, rest = line.partition(' ')
        suite, _, component = rest.partition(' ')
        if component == 'main' and suite in (codename, *_NICKNAMES) and uri not in found:
            found.append(uri)
    if not found:
        raise OSError('apt knows no Debian packages: see /etc/apt')
    return found


def make(suite, target, packages, *options):
    """Makes target, a directory or an archive, of the suite. Raises OSError where it cannot be had.

    Whose packages they are is told by the signature of Debian's archive, which mmdebstrap checks.
    """
    for mirror in mirrors():
        done = subprocess.run(
            ['mmdebstrap', '--quiet', '--variant=minbase',
             *([f'--include={",".join(packages)}'] if packages else []),
             *options, suite, target, mirror], capture_output=True, text=True)
        if done.returncode == 0:
            return
        if pathlib.Path(target).is_dir():
            shutil.rmtree(target)
    raise OSError(f'mmdebstrap cannot make {suite}: {done.stderr.strip()}')


def kept(suite, directory, packages, *options):
    """The same for a directory, which is made once and then kept."""
    stamp = directory / '.packages'
    wanted = [*packages, *options]
    if not stamp.exists() or stamp.read_text().split('\n') != wanted:
        shutil.rmtree(directory, ignore_errors=True)
        directory.parent.mkdir(parents=True, exist_ok=True)
        make(suite, directory, packages, *options)
        stamp.write_text('\n'.join(wanted))
    return directory


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--foreign', metavar='ARCHITECTURE',
                        help='whose packages can be installed too, as NAME:ARCHITECTURE')
    parser.add_argument('suite')
    parser.add_argument('directory', type=pathlib.Path)
    parser.add_argument('packages', nargs='*', metavar='PACKAGE')
    chosen = parser.parse_args()
    options = []
    if chosen.foreign:
        native = subprocess.run(['dpkg', '--print-architecture'], capture_output=True, text=True,
                                check=True).stdout.strip()
        options.append(f'--architectures={native},{chosen.foreign}')
    try:
        kept(chosen.suite, chosen.directory, chosen.packages, *options)
    except OSError as error:
        sys.exit(str(error))


if __name__ == '__main__':
    main()
