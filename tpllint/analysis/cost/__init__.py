"""What rendering a template can cost, by its source and by how its prompts grow."""
