"""The exchange's command lines that speak to its API: org, device, grant and trip."""
