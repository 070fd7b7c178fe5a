"""The models in memory: leases, budgets, eviction, swapping. See `ModelPool`."""

from __future__ import annotations

from modules.core_components.ai_models.model_pool.budgets import automatic_budgets, is_out_of_memory
from modules.core_components.ai_models.model_pool.ledger import (
    HOST,
    ModelSpec,
    Place,
    Resident,
    SizeBook,
    model_key,
)
from modules.core_components.ai_models.model_pool.plans import LoadPlan, Way
from modules.core_components.ai_models.model_pool.pool import (
    ModelPool,
    configure_model_pool,
    get_model_pool,
    whole_device,
)

__all__ = [
    "HOST", "LoadPlan", "ModelPool", "ModelSpec", "Place", "Resident", "SizeBook", "Way",
    "automatic_budgets", "configure_model_pool", "get_model_pool", "is_out_of_memory",
    "model_key", "whole_device",
]  # fmt: skip
