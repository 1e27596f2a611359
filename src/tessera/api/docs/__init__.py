"""The OpenAPI documents and the pages for people: home page and docs page."""
