"""Where made-up agents can stand: regions with their country and time zone."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """A region; `zone` is its IANA time zone."""

    id: str
    name: str
    country: str
    latitude: float
    longitude: float
    zone: str


PLACES = tuple(
    Place(*row)
    for row in (
        ("us-east", "Eastern US", "US", 39.0, -77.5, "America/New_York"),
        ("us-central", "Central US", "US", 41.3, -95.9, "America/Chicago"),
        ("us-west", "Western US", "US", 37.4, -122.1, "America/Los_Angeles"),
        ("ca-central", "Ontario", "CA", 43.7, -79.4, "America/Toronto"),
        ("ca-west", "British Columbia", "CA", 49.3, -123.1, "America/Vancouver"),
        ("br-south", "South Brazil", "BR", -23.5, -46.6, "America/Sao_Paulo"),
        ("gb-south", "Southern England", "GB", 51.5, -0.1, "Europe/London"),
        ("fr-north", "Northern France", "FR", 48.9, 2.4, "Europe/Paris"),
        ("de-west", "West Germany", "DE", 50.1, 8.7, "Europe/Berlin"),
        ("se-north", "Sweden", "SE", 59.3, 18.1, "Europe/Stockholm"),
        ("tr-west", "Istanbul", "TR", 41.0, 29.0, "Europe/Istanbul"),
        ("tr-central", "Ankara", "TR", 39.9, 32.9, "Europe/Istanbul"),
        ("tr-south", "Gaziantep", "TR", 37.1, 37.4, "Europe/Istanbul"),
        ("za-north", "Gauteng", "ZA", -26.2, 28.0, "Africa/Johannesburg"),
        ("ae-north", "Dubai", "AE", 25.2, 55.3, "Asia/Dubai"),
        ("in-west", "West India", "IN", 19.1, 72.9, "Asia/Kolkata"),
        ("in-east", "East India", "IN", 22.6, 88.4, "Asia/Kolkata"),
        ("sg-central", "Singapore", "SG", 1.35, 103.8, "Asia/Singapore"),
        ("jp-east", "Eastern Japan", "JP", 35.7, 139.7, "Asia/Tokyo"),
        ("au-east", "Eastern Australia", "AU", -33.9, 151.2, "Australia/Sydney"),
    )
)
"""All places, by continent."""
