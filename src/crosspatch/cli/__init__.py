"""crosspatch.cli"""
