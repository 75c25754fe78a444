"""Words for whoever watches a run."""


def tell(text: str) -> None:
    """Print, unless the console is a file on a disk that is full: then the words are lost, and not the training."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        raise  # nobody reads on, as after `| head`: programs end then
    except OSError:
        return  # there is no place left to complain
