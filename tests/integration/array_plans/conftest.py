"""A database of its own: 100,000 rows in tables of the catalog change the plans of all other statements."""

from tests.conftest import own_database

addresses, resources, app = own_database("array_plans")
