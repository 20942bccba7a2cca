"""Everything that runs on the truck: sources, sampler, sealer, outbox and uplink."""
