"""The admin site, and what every admin screen is made of.

`config` names the site, `site` is the site itself, `navigation` its menu; `base` has the scoped
`OrganisationAdmin` from which every screen of organisation-owned rows derives, `forms` the forms
that leave the rules to services, `paging` lists that do not count, `filters` and `questions` (pages
that ask before something is done).
"""
