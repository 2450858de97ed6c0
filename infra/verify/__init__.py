"""`make verify STAGE=prod`: does a deployed stage do what its users rely on. See __main__.py."""
