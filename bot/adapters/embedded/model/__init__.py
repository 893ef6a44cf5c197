"""The built-in model's file; NOTICE says where its weights come from."""
