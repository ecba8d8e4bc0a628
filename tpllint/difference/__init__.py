"""What two versions of a model's templates differ in, as data: the prompts, the structure behind them, the findings."""
