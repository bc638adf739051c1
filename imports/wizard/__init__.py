"""The import wizard: a file that staff upload, match, look at, correct and import in the admin.

It is a door to `imports.services`, as the commands are: the same engine rehearses and imports. Its
own are the upload (`storage`), what can be told of it beforehand (`looking`, `guessing`), the
rehearsal that is looked at (`preview`), and having workers do what takes long (`working`).
"""
