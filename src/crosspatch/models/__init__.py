"""crosspatch.models"""
