"""Ways of telling somebody: one file a notifier, one line in the table."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from faultline.config import Settings
from faultline_collector.notify.notifiers.notifier import Notifier

NOTIFIERS: dict[str, str] = {
    "webhook": "faultline_collector.notify.notifiers.webhook:Webhook",
    "alertmanager": "faultline_collector.notify.notifiers.alertmanager:Alertmanager",
}
"""Notifiers by kind, as `module:class`; the class takes its settings, a `Settings` named `takes`."""


def notifier_class(kind: str) -> Any:
    """The class of a kind."""
    module, _, name = NOTIFIERS[kind].partition(":")
    return getattr(import_module(module), name)


def settings_of(kind: str, settings: Mapping[str, Any]) -> Settings:
    """The settings of a kind; raises pydantic's ValidationError."""
    found: Settings = notifier_class(kind).takes.model_validate(dict(settings))
    return found


def open_notifier(kind: str, settings: Mapping[str, Any]) -> Notifier:
    """A notifier of a kind with good settings."""
    found: Notifier = notifier_class(kind)(settings_of(kind, settings))
    return found
