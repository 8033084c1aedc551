"""An executor that breaks once, in a module that a configuration can name."""

from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor

chunks = {"left": 0}  # that executors of this process play before they break; negative: they never do


class Fragile(ThreadPoolExecutor):
    """One thread."""

    def __init__(self):
        super().__init__(1)

    def submit(self, task, *arguments):
        chunks["left"] -= 1
        if chunks["left"] != -1:
            return super().submit(task, *arguments)
        broken = Future()
        broken.set_exception(BrokenExecutor("of a toy"))
        return broken
