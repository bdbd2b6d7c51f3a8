"""What gateway and worker agree on: commands, rules, ledger, tables, money, errors, migrations."""
