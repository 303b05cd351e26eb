"""crosspatch.images"""
