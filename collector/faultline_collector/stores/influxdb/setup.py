"""What has to be in InfluxDB before a collector can use it: two buckets and a token for nothing else."""

import os
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from influxdb_client import (
    Authorization,
    BucketRetentionRules,
    InfluxDBClient,
    Permission,
    PermissionResource,
)
from influxdb_client.rest import ApiException
from urllib3.exceptions import HTTPError

from faultline_collector.stores.influxdb.address import Address
from faultline_collector.stores.influxdb.server import failure_of
from faultline_collector.stores.store import StoreError

_DEADLINE_MS = 10_000
_SHARD = {"raw": timedelta(days=1), "rollups": timedelta(days=30)}


@dataclass(frozen=True, slots=True)
class Wish:
    """How long results and roll-ups are kept, and where the collector's token is put."""

    raw: timedelta
    rollups: timedelta
    token_file: Path


def set_up(address: Address, operator: str, wish: Wish) -> Iterator[str]:
    """Makes what is missing, and says what it did in sentences; safe to call again.

    `operator` is a token that may make organisations, buckets and tokens; it is not kept. Raises StoreError.
    """
    client = InfluxDBClient(address.url, operator, org=address.org, timeout=_DEADLINE_MS, retries=False)
    with closing(client):
        try:
            yield from _Setup(client, address, wish).run()
        except (ApiException, HTTPError) as error:
            raise StoreError(f"InfluxDB at {address.url} {failure_of(error)}", permanent=True) from error


class _Setup:
    def __init__(self, client: Any, address: Address, wish: Wish) -> None:
        self._client = client
        self._address = address
        self._wish = wish
        self._purpose = f"faultline collector: {address.bucket}"

    def run(self) -> Iterator[str]:
        """Organisation, buckets, token."""
        org, said = self._organisation()
        yield said
        buckets = []
        for name, keep, shard in (
            (self._address.bucket, self._wish.raw, _SHARD["raw"]),
            (self._address.rollups, self._wish.rollups, _SHARD["rollups"]),
        ):
            bucket, said = self._bucket(org, name, keep, shard)
            buckets.append(bucket)
            yield said
        yield self._token(org, buckets)

    def _organisation(self) -> tuple[str, str]:
        api = self._client.organizations_api()
        name = self._address.org
        found = [org for org in api.find_organizations() if org.name == name]
        if found:
            return found[0].id, f"organisation {name}: is there"
        return api.create_organization(name).id, f"organisation {name}: made"

    def _bucket(self, org: str, name: str, keep: timedelta, shard: timedelta) -> tuple[str, str]:
        api = self._client.buckets_api()
        rule = _rule(keep, shard)
        found = api.find_buckets(name=name, org_id=org).buckets if self._has_bucket(org, name) else []
        if not found:
            bucket = api.create_bucket(bucket_name=name, org=org, retention_rules=[rule])
            return bucket.id, f"bucket {name}: made, keeps {keep.days} days"
        bucket = found[0]
        kept = [known.every_seconds for known in bucket.retention_rules]
        if kept == [rule.every_seconds]:
            return bucket.id, f"bucket {name}: is there, keeps {keep.days} days"
        bucket.retention_rules = [rule]
        api.update_bucket(bucket)
        before = f"{kept[0] // 86_400} days" if kept and kept[0] else "for ever"
        return bucket.id, f"bucket {name}: kept {before}, keeps {keep.days} days now"

    def _has_bucket(self, org: str, name: str) -> bool:
        with suppress(ApiException):
            return bool(self._client.buckets_api().find_buckets(name=name, org_id=org).buckets)
        return False

    def _token(self, org: str, buckets: list[str]) -> str:
        api = self._client.authorizations_api()
        file = self._wish.token_file
        known = [a for a in api.find_authorizations(org_id=org) if a.description == self._purpose]
        held = _read(file)
        if any(held == token.token and _serves(token, buckets) for token in known):
            os.chmod(file, 0o600)
            return f"token in {file}: is right, may read and write these two buckets and no more"
        made = api.create_authorization(authorization=_authorization(org, buckets, self._purpose))
        _write(file, made.token)
        older = f"; {len(known)} older of this name are still valid" if known else ""
        return f"token in {file}: made, may read and write these two buckets and no more{older}"


def _rule(keep: timedelta, shard: timedelta) -> Any:
    return BucketRetentionRules(
        type="expire",
        every_seconds=int(keep.total_seconds()),
        shard_group_duration_seconds=int(min(shard, keep).total_seconds()),
    )


def _permissions(org: str, buckets: list[str]) -> list[Any]:
    return [
        Permission(action=action, resource=PermissionResource(type="buckets", id=bucket, org_id=org))
        for bucket in buckets
        for action in ("read", "write")
    ]


def _authorization(org: str, buckets: list[str], purpose: str) -> Any:
    return Authorization(org_id=org, permissions=_permissions(org, buckets), description=purpose)


def _serves(token: Any, buckets: list[str]) -> bool:
    held = {(permission.action, permission.resource.id) for permission in token.permissions}
    return held == {(action, bucket) for bucket in buckets for action in ("read", "write")}


def _read(file: Path) -> str:
    with suppress(OSError, ValueError):
        return file.read_text(encoding="ascii").strip()
    return ""


def _write(file: Path, token: str) -> None:
    """Puts the token into the file, never readable for others."""
    new = file.with_name(file.name + ".new")
    try:
        with suppress(FileNotFoundError):
            new.unlink()
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(handle, "w", encoding="ascii") as out:
            out.write(token + "\n")
        new.replace(file)
    except OSError as error:
        raise StoreError(
            f"influxdb.token_file: {file} cannot be written: {error.strerror}", permanent=True
        ) from error
