"""Read what people import: tables from any spreadsheet program, and folders. These functions block."""
