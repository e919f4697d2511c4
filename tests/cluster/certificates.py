# SPDX-License-Identifier: Apache-2.0
"""Certificates and password hashes, made for one test."""

import base64
import ctypes
import dataclasses
import pathlib
import ssl
import subprocess

_libcrypt = ctypes.CDLL('libcrypt.so.1')  # Python has lost its own crypt
_libcrypt.crypt.restype = ctypes.c_char_p

# openssl req insists on a file that names these sections.
_CONF = '[req]\ndistinguished_name = name\n[name]\n'

_OF_A_CA = ('basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign')
_OF_A_HOST = ('basicConstraints=CA:FALSE', 'authorityKeyIdentifier=keyid',
              'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1')


@dataclasses.dataclass(frozen=True)
class Certificate:
    certificate: pathlib.Path
    key: pathlib.Path


class Authority:
    """A CA in a directory of its own."""

    def __init__(self, directory):
        directory.mkdir()
        self._directory = directory
        (directory / 'openssl.cnf').write_text(_CONF)
        self._own = self._make('ca', _OF_A_CA)
        self.certificate = self._own.certificate

    def issue(self, name):
        """For this machine's own addresses, to serve and to be a client."""
        return self._make(name, _OF_A_HOST, '-CA', self._own.certificate, '-CAkey', self._own.key)

    def client_context(self, shown=None):
        """A client that trusts this CA only, and shows that certificate."""
        context = ssl.create_default_context(cafile=self.certificate)
        if shown:
            context.load_cert_chain(shown.certificate, shown.key)
        return context

    def _make(self, name, extensions, *signed_by):
        made = Certificate(self._directory / f'{name}.crt', self._directory / f'{name}.key')
        subprocess.run(
            ['openssl', 'req', '-x509', '-config', self._directory / 'openssl.cnf', '-days', '2',
             '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-sha256',
             '-subj', f'/CN={name}', '-keyout', made.key, '-out', made.certificate, *signed_by,
             '-addext', 'subjectKeyIdentifier=hash',
             *(argument for text in extensions for argument in ('-addext', text))],
            check=True, capture_output=True)
        return made


def serial_of(certificate):
    done = subprocess.run(['openssl', 'x509', '-noout', '-serial', '-in', certificate],
                          check=True, capture_output=True, text=True)
    return done.stdout.strip().removeprefix('serial=')


def bcrypt(password, cost=4):
    """Its hash, always with the same salt."""
    salt = f'$2b${cost:02}$' + 22 * '.'
    return _libcrypt.crypt(password.encode(), salt.encode()).decode()


def basic(name, password):
    """The header that brings them."""
    credentials = base64.b64encode(f'{name}:{password}'.encode()).decode()
    return {'Authorization': f'Basic {credentials}'}
