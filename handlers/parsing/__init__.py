"""Parse Slack's payloads and the command grammar into typed values. All functions are pure."""
