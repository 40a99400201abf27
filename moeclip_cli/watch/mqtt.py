"""MQTT: messages for a topic of a broker, each acknowledged by it (quality of service 1)."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, unquote, urlsplit

from moeclip_cli.errors import UsageError
from moeclip_cli.extras import require_extra
from moeclip_cli.watch.delivery import DeliveryError
from moeclip_cli.watch.outbox import Message

if TYPE_CHECKING:
    from paho.mqtt.client import Client

_TIMEOUT_SECONDS = 10.0
_PORTS = {"mqtt": 1883, "mqtts": 8883}


class Mqtt:
    """Publishes messages.

    Args:
        url: mqtt://[USER:PASSWORD@]HOST[:PORT]/TOPIC, or mqtts:// for TLS.

    Raises:
        UsageError: if the URL is invalid.
        MissingExtraError: if paho-mqtt is not installed.
    """

    name = "MQTT broker"
    folder = "mqtt"

    def __init__(self, url: str) -> None:
        self._parts = _parts(url)
        self._topic = unquote(self._parts.path[1:])
        require_extra("paho.mqtt.client", "mqtt")
        self._client: Client | None = None

    def send(self, message: Message) -> None:
        """Publish a message and wait until the broker has it.

        Raises:
            DeliveryError: if there is no connection, or the broker does not acknowledge it.
        """
        try:
            self._client = self._client or self._connected()
            sent = self._client.publish(self._topic, message.body, qos=1)
            sent.wait_for_publish(_TIMEOUT_SECONDS)
            published = sent.is_published()
        except (OSError, RuntimeError, ValueError) as error:
            self.close()
            raise DeliveryError(str(error)) from error
        if not published:
            self.close()
            raise DeliveryError(f"no acknowledgement within {_TIMEOUT_SECONDS:g} s")

    def close(self) -> None:
        """End the connection, and forget messages that were not acknowledged."""
        if self._client is not None:
            with suppress(OSError):
                self._client.disconnect()
            self._client.loop_stop()
            self._client = None

    def _connected(self) -> Client:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        client = Client(CallbackAPIVersion.VERSION2)
        answered, answers = threading.Event(), []

        def on_connect(client: Any, data: Any, flags: Any, reason: Any, properties: Any) -> None:
            answers.append(reason)
            answered.set()

        client.on_connect = on_connect
        if self._parts.username:
            password = self._parts.password
            client.username_pw_set(
                unquote(self._parts.username), None if password is None else unquote(password)
            )
        if self._parts.scheme == "mqtts":
            client.tls_set()
        client.connect(self._parts.hostname or "", self._parts.port or _PORTS[self._parts.scheme])
        client.loop_start()
        in_time = answered.wait(_TIMEOUT_SECONDS)
        if in_time and not answers[0].is_failure:
            return client
        client.loop_stop()
        raise DeliveryError(f"no connection: {answers[0] if in_time else 'no answer'}")


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in _PORTS and parts.hostname and len(parts.path) > 1
        valid = valid and parts.port != 0 and not set("+#") & set(unquote(parts.path))
    except ValueError:
        valid = False
    if not valid:
        raise UsageError(
            "`mqtt` must be of the form mqtt://HOST/TOPIC, with a topic without + and #."
        )
    return parts
