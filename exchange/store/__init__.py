"""The exchange's database: connections, durability, migrations."""
