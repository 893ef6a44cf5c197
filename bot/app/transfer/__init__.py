"""Copies of all data: transfers between storages, backups, and backups at intervals."""
