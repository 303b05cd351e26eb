"""crosspatch.volunteers"""
