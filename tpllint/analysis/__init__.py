"""What runs inside the worker process, and nowhere else."""
