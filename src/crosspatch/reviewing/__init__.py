"""Looking at masks in the browser: a folder to review, its decisions, and the page that shows it.

``material`` says what a folder holds, ``store`` keeps what people decide and draw, ``pixels`` makes
what the page shows, ``app`` serves it, ``dataset`` turns accepted masks into a data set.
"""
