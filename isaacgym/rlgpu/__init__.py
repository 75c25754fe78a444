"""Where tasks written for early previews look for helpers."""
