"""The durable record in SQL: tables, migrations, store, locks; imports core. Start at `place.open_place`."""
