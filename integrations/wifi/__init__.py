"""Wifi portals: whoever logs in is a contact, and was here."""

from integrations.wifi.cisco import CiscoSpaces
from integrations.wifi.mapped import Mapped, Purple
from integrations.wifi.mist import Mist
from integrations.wifi.stampede import Stampede

__all__ = ["CiscoSpaces", "Mapped", "Mist", "Purple", "Stampede"]
