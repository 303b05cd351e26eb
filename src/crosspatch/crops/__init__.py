"""crosspatch.crops"""
