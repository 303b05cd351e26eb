"""crosspatch.workflows"""
