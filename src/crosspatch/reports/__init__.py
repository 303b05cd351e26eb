"""crosspatch.reports"""
