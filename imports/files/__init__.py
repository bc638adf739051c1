"""Reading and writing the files that people keep their contacts in. No models here."""
