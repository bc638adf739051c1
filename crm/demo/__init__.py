"""Demo data: The Harbour Collection, a group of hotels, restaurants and a golf links.

`people` holds names and places, `house` what the group sells, `fields` its custom fields, `stays`
and its neighbours tell what each guest did, `load` writes it all through the services that every
other door uses.
"""
