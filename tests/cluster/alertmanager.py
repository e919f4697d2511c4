# SPDX-License-Identifier: Apache-2.0
"""Debian's Alertmanager on the example's configuration, and whom it tells."""

import dataclasses
import http.server
import json
import subprocess
import sys
import threading
import time

try:
    import yaml
except ImportError:
    print('skipped: python3-yaml is not installed')
    sys.exit(77)

PORT = 9093  # where prometheus.yml looks for it


@dataclasses.dataclass(frozen=True)
class Bell:
    """What a receiver was told first of an alert."""

    time: float  # seconds since the epoch
    receiver: str
    labels: dict


class Receivers(http.server.ThreadingHTTPServer):
    """All of them, by the path of their webhooks; on a socket that listens. To be stopped."""

    daemon_threads = True

    def __init__(self, listening):
        super().__init__(listening.getsockname(), _Webhook, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self._lock = threading.Lock()
        self._rung = {}  # as a notification repeats what is still so
        self._thread = threading.Thread(target=self.serve_forever)
        self._thread.start()

    def stop(self):
        self.shutdown()
        self._thread.join()
        self.server_close()

    @property
    def port(self):
        return self.socket.getsockname()[1]

    def bells(self):
        """In the order in which they rang."""
        with self._lock:
            return sorted(self._rung.values(), key=lambda bell: bell.time)

    def told(self, receiver, notification):
        now = time.time()
        with self._lock:
            for alert in notification['alerts']:
                if alert['status'] == 'firing':
                    key = receiver, tuple(sorted(alert['labels'].items()))
                    self._rung.setdefault(key, Bell(now, receiver, alert['labels']))


class _Webhook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers['Content-Length']))
        self.server.told(self.path.removeprefix('/'), json.loads(body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


class Alertmanager:
    """Groups of the example, told after a second instead of half a minute; all its receivers are
    the given ones, also the one whom nobody hears. To be stopped."""

    def __init__(self, command, example, directory, receivers):
        configuration = yaml.safe_load(example.read_text(encoding='utf-8'))
        route = configuration['route']
        for one in (route, *route['routes']):
            one |= {'group_wait': '1s', 'group_interval': '1s'}
        for receiver in configuration['receivers']:
            url = f'http://127.0.0.1:{receivers.port}/{receiver["name"]}'
            receiver['webhook_configs'] = [{'url': url, 'send_resolved': False}]
        file = directory / 'alertmanager.yml'
        file.write_text(yaml.safe_dump(configuration), encoding='utf-8')
        with open(directory / 'alertmanager.log', 'wb') as log:
            self._process = subprocess.Popen(
                command('prometheus-alertmanager', f'--config.file={file}',
                        f'--storage.path={directory / "alertmanager"}', '--log.level=warn',
                        f'--web.listen-address=127.0.0.1:{PORT}', '--cluster.listen-address='),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def stop(self):
        self._process.kill()
        self._process.wait()
