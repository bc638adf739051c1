"""Puts `crm.admin.site.RegularsAdminSite` in the place of Django's admin site."""

from django.contrib.admin.apps import AdminConfig


class RegularsAdminConfig(AdminConfig):
    default = False  # named in INSTALLED_APPS
    default_site = "crm.admin.site.RegularsAdminSite"
