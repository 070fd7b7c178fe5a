"""Heavy work as items that workers do: on this machine, or on several by Ray."""
