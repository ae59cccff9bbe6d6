"""From candidate structures to ranked polymorphs: relax, filter, group, compare with the hull."""
