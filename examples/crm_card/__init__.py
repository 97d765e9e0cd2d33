"""A small web app around a live state: what a CRM shows beside a contact, as it is this very moment."""
