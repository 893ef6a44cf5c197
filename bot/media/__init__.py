"""Signed links to pictures, and lending pictures to the hosted service.

Services, handlers and the layers above them may import this package.
"""
