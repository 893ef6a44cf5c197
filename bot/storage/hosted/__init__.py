"""What the hosted service holds for us: the ledger, and deletions that are pending."""
